/** What the console uses of the library. */
declare module "papaparse" {
  interface Step {
    data: string[];
    errors: { message: string }[];
    /** `cursor`: the characters that have been read. */
    meta: { cursor: number };
  }
  interface Parser {
    abort(): void;
  }
  interface Reading {
    delimiter: string;
    step: (step: Step, parser: Parser) => void;
  }
  interface Table {
    fields: string[];
    data: unknown[][];
  }
  const papa: {
    parse(text: string, reading: Reading): void;
    unparse(table: Table, writing: { delimiter: string; newline: string }): string;
  };
  export default papa;
}
