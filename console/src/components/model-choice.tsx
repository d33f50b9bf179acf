/** The registered models, and which of them a view is about. */

import { useState } from "preact/hooks";
import { covers, may, namedModels, useMe } from "../access";
import * as api from "../api";
import * as defaults from "../defaults.json";
import { usePolling } from "../polling";
import { useAddress } from "../routing";
import { NotFound } from "./basics";
import { Choice } from "./controls";

const INTERVAL = 15_000;

/** The model of a fresh installation, which comes first where it exists. */
export const DEFAULT_MODEL = defaults.model;

export interface ChosenModel {
  /** Undefined until they are known. A key that may only predict knows those that it names. */
  names: string[] | undefined;
  /** Undefined while there is none, or none of that name. */
  model: string | undefined;
  /** The name in the address, if no model has it. */
  unknown: string | undefined;
  choose: (name: string) => void;
  /** Look at once which models there are. */
  refresh: () => void;
}

/** The model of the address, else the first one. */
export function useModel(params: URLSearchParams): ChosenModel {
  const me = useMe();
  const [chosen, choose] = useAddress(params, "model");
  const [names, setNames] = useState<string[]>();
  const listed = may(me, "read");
  const refresh = usePolling(
    async (signal) => {
      const found = listed ? (await api.allModels({ signal })).map(({ name }) => name) : namedModels(me);
      setNames((before) => (before?.join() === found.join() ? before : found));
      return listed ? undefined : false;
    },
    INTERVAL,
    [],
  );
  const ordered = names && defaultFirst(names);
  const unknown = listed && ordered && chosen && !ordered.includes(chosen) ? chosen : undefined;
  const usual = ordered?.[0] ?? (!listed && covers(me, DEFAULT_MODEL) ? DEFAULT_MODEL : undefined);
  return { names: ordered, model: unknown ? undefined : ordered && (chosen || usual), unknown, choose, refresh };
}

export const defaultFirst = (names: string[]): string[] => [
  ...names.filter((name) => name === DEFAULT_MODEL),
  ...names.filter((name) => name !== DEFAULT_MODEL),
];

export function ModelChoice({ names, model, unknown, choose }: ChosenModel) {
  const me = useMe();
  if (!names) return null;
  // Such a key cannot list the models; its owner knows their names.
  if (!may(me, "read") && names.length < 2)
    return (
      <input
        aria-label="Model"
        value={model ?? ""}
        placeholder="Name of a model"
        onChange={(event) => choose(event.currentTarget.value)}
      />
    );
  const options = names.map((name): [string, string] => [name, name]);
  if (unknown) options.unshift(["", "Choose a model"]);
  return names.length > 1 || unknown ? (
    <Choice label="Model" options={options} chosen={model ?? ""} onChoose={choose} />
  ) : null;
}

export const UnknownModel = ({ unknown }: ChosenModel) => (unknown ? <NotFound kind="model" name={unknown} /> : null);
