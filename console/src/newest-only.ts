/** One call at a time: of what is asked for meanwhile, only the newest is asked next. */
export function newestOnly<T>(ask: (value: T) => Promise<void>): (value: T) => Promise<void> {
  let waiting: { value: T } | undefined;
  let busy = false;
  return async (value) => {
    waiting = { value };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next: { value: T } = waiting;
        waiting = undefined;
        await ask(next.value);
      }
    } finally {
      busy = false;
    }
  };
}
