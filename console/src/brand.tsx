export const Brand = () => (
  <div class="brand">
    <img src="console/icon.svg" alt="" width={24} height={24} />
    mlops
  </div>
);
