import type { ContractColumn } from "../src/schema";

/** A column of a contract, which takes all values of its type. */
export const column = (
  name: string,
  type: ContractColumn["type"],
  more: Partial<ContractColumn> = {},
): ContractColumn => ({
  name,
  type,
  required: true,
  proved: [],
  levels: null,
  low: null,
  high: null,
  form: null,
  ...more,
});
