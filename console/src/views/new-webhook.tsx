/** The dialog that makes a webhook, and shows once what signs its messages. */

import { useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Problem } from "../components/basics";
import { Field } from "../components/controls";
import { Acts, Dialog } from "../components/dialog";
import { reason } from "../problems";
import type { CreatedWebhook } from "../schema";

interface Properties {
  onMade: () => void;
  onClosed: () => void;
}

export const NewWebhook = ({ onClosed, onMade }: Properties) => (
  <Dialog label="Add a webhook" onClosed={onClosed}>
    <Form onMade={onMade} />
  </Dialog>
);

function Form({ onMade }: Pick<Properties, "onMade">) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState<CreatedWebhook>();
  const form = useRef<HTMLFormElement>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!form.current) return;
    setBusy(true);
    try {
      setMade(await api.createWebhook(requestFrom(new FormData(form.current))));
      announce("The webhook is made");
      onMade();
    } catch (error) {
      setProblem(reason(error));
    }
    setBusy(false);
  };
  if (made) return <Made {...made} />;
  return (
    <form ref={form} onSubmit={submit}>
      <h2>Add a webhook</h2>
      <Field label="Address" hint="https://, on port 443; private addresses are refused">
        <input name="url" type="url" required />
      </Field>
      <Field label="Events" hint="Separated by commas, such as transition.*, job.failed; * stands for all">
        <input name="events" defaultValue="*" required />
      </Field>
      <Field label="Models" hint="Separated by commas; churn* for all names with this beginning. By default your key's">
        <input name="models" />
      </Field>
      <Field label="Format">
        <select name="format">
          <option value="standard">Standard Webhooks</option>
          <option value="slack">Slack</option>
        </select>
      </Field>
      <Field label="What it is for">
        <input name="description" maxLength={200} />
      </Field>
      <Problem text={problem} />
      <Acts verb="Add" busy={busy} />
    </form>
  );
}

/** The secret's only showing: whoever has closed it makes a new one. */
export const Secret = ({ secret }: { secret: string }) => (
  <p>
    This secret signs its messages, and is not shown again:{" "}
    <code class="secret" data-testid="secret">
      {secret}
    </code>
  </p>
);

const Made = ({ host, secret }: CreatedWebhook) => (
  <form>
    <h2>{`Messages go to ${host}`}</h2>
    <Secret secret={secret} />
    <Acts verb={null} leave="Close" />
  </form>
);

/** The request from the form's fields; what is empty is left out. */
export function requestFrom(fields: FormData): Record<string, unknown> {
  const text = (name: string) => String(fields.get(name) ?? "").trim();
  const list = (name: string) =>
    text(name)
      .split(",")
      .map((each) => each.trim())
      .filter(Boolean);
  const [models, description] = [list("models"), text("description")];
  return {
    url: text("url"),
    events: list("events"),
    format: text("format"),
    ...(models.length ? { models } : {}),
    ...(description ? { description } : {}),
  };
}
