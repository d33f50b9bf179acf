export const Brand = () => (
  <div class="brand">
    <Icon />
    mlops
  </div>
);

/** The same as public/icon.svg, drawn in place: one request less. */
const Icon = () => (
  <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill="#4f5bd5" />
    <path d="M7 22 L13 12 L18 18 L25 8" fill="none" stroke="#fff" stroke-width="3" />
    <circle cx="25" cy="8" r="2.6" fill="#fff" />
  </svg>
);
