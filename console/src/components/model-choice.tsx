/** The registered models, and which of them a view is about. */

import { useState } from "preact/hooks";
import * as api from "../api";
import * as defaults from "../defaults.json";
import { useLoaded } from "../polling";
import { Choice } from "./controls";

/** The model of a fresh installation, which comes first where it exists. */
export const DEFAULT_MODEL = defaults.model;

export interface ChosenModel {
  /** Undefined until they are known. */
  names: string[] | undefined;
  /** Undefined while there is none. */
  model: string | undefined;
  choose: (name: string) => void;
}

/** The model of the address where it exists, else the first one. */
export function useModel(initial: string | null): ChosenModel {
  const [chosen, choose] = useState(initial);
  const names = useLoaded(async (signal) =>
    defaultFirst((await api.models({ signal })).models.map(({ name }) => name)),
  );
  const model = names?.find((name) => name === chosen) ?? names?.[0];
  return { names, model, choose };
}

export const defaultFirst = (names: string[]): string[] => [
  ...names.filter((name) => name === DEFAULT_MODEL),
  ...names.filter((name) => name !== DEFAULT_MODEL),
];

export const ModelChoice = ({ names, model, choose }: ChosenModel) =>
  names && model ? (
    <Choice label="Model" options={names.map((name) => [name, name])} chosen={model} onChoose={choose} />
  ) : null;
