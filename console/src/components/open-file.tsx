/** A place to drop a CSV file, or to open one. */

import type { ComponentChildren } from "preact";

interface Properties {
  /** Stands beside the button. */
  text: string;
  onFile: (file: File) => void;
  children: ComponentChildren;
}

export const OpenFile = ({ text, onFile, children }: Properties) => (
  <section
    class="stack"
    aria-label="A place to drop a CSV file"
    onDragOver={(event) => event.preventDefault()}
    onDrop={(event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) onFile(file);
    }}
  >
    <div class="row-tools">
      <label class="button">
        Open a CSV file
        <input
          class="unseen"
          type="file"
          accept=".csv,.tsv,text/csv"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file) onFile(file);
            event.currentTarget.value = "";
          }}
        />
      </label>
      <span class="quiet">{text}</span>
    </div>
    {children}
  </section>
);
