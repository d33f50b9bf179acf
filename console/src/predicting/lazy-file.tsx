/** The rows of a file, whose library is fetched for models of tables only. */

import type { ComponentProps } from "preact";
import { loaded, useLoaded } from "../polling";

export function RowsOfFile(properties: ComponentProps<typeof import("./file/index").RowsOfFile>) {
  const file = useLoaded(() => loaded("What reads files", import("../csv-files")));
  return file ? <file.RowsOfFile {...properties} /> : null;
}
