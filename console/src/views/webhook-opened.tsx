/** One webhook: its last messages, those that were given up, and what an admin may do with it. */

import { useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Facts, Headings, Loading, NotFound, Scroll, Tag } from "../components/basics";
import { Button } from "../components/controls";
import { Detail } from "../components/detail";
import { Acts, Dialog, useClose } from "../components/dialog";
import { ago } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import type { WebhookDelivery, WebhookDetail } from "../schema";
import { Secret } from "./new-webhook";

const INTERVAL = 2000;

interface Properties {
  webhookId: string;
  onClose: () => void;
  onDeleted: () => void;
}

export function WebhookOpened({ webhookId, onClose, onDeleted }: Properties) {
  const [webhook, setWebhook] = useState<WebhookDetail | null>();
  const [secret, setSecret] = useState("");
  const [deleting, setDeleting] = useState(false);
  const { attempt } = useProblems();
  const refresh = usePolling(
    async (signal) => {
      const found = await webhookOf(webhookId, signal);
      setWebhook(found);
      return found === null ? false : undefined;
    },
    INTERVAL,
    [webhookId],
  );
  const test = () =>
    attempt(async () => {
      await api.testWebhook(webhookId);
      announce("A message is being sent");
      refresh();
    });
  const rotate = () => attempt(async () => setSecret((await api.rotateWebhookSecret(webhookId)).secret));
  const tools = webhook ? (
    <>
      <Button class="button small" onClick={() => void test()}>
        Send a test
      </Button>
      <Button class="button small" onClick={() => void rotate()}>
        New secret
      </Button>
      <Button class="button small danger" onClick={() => setDeleting(true)}>
        Delete
      </Button>
    </>
  ) : null;
  return (
    <>
      <Detail
        label="Webhook"
        title={webhook?.host ?? "Webhook"}
        tools={tools}
        closing="Close the webhook"
        onClose={onClose}
      >
        {webhook === undefined ? (
          <Loading />
        ) : webhook === null ? (
          <NotFound kind="webhook" name={webhookId} />
        ) : (
          <Shown webhook={webhook} secret={secret} />
        )}
      </Detail>
      {deleting && webhook ? (
        <Dialog label="Delete the webhook" onClosed={() => setDeleting(false)}>
          <Deletion webhook={webhook} onDeleted={onDeleted} />
        </Dialog>
      ) : null}
    </>
  );
}

async function webhookOf(webhookId: string, signal: AbortSignal): Promise<WebhookDetail | null> {
  try {
    return await api.webhook(webhookId, { signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 422)) return null;
    throw error;
  }
}

const Shown = ({ webhook, secret }: { webhook: WebhookDetail; secret: string }) => (
  <div class="body stack">
    {secret ? <Secret secret={secret} /> : null}
    <Facts
      of={[
        ["Id", <code key="id">{webhook.webhook_id}</code>],
        ["Events", webhook.events.join(", ")],
        ["Models", webhook.models.join(", ")],
        ["For", webhook.description],
        ["Made", `${ago(webhook.created_at)} by ${webhook.actor}`],
        [
          "Secret before",
          webhook.previous_secret_until
            ? `signs too until ${webhook.previous_secret_until.slice(0, 16).replace("T", " ")} UTC`
            : null,
        ],
      ]}
    />
    <h3>Last messages</h3>
    {webhook.deliveries.length ? (
      <Messages label="Table of messages" messages={webhook.deliveries} />
    ) : (
      <p class="quiet">None yet. Send a test to see one.</p>
    )}
    {webhook.dead_letters.length ? (
      <>
        <h3>Given up after all tries</h3>
        <Messages label="Table of messages that were given up" messages={webhook.dead_letters} />
      </>
    ) : null}
  </div>
);

const Messages = ({ label, messages }: { label: string; messages: WebhookDelivery[] }) => (
  <Scroll label={label}>
    <table>
      <thead>
        <tr>
          <Headings text={["Event", "State"]} numbers={["Tries", "Answer"]} />
          <Headings text={["Why", "Made"]} />
        </tr>
      </thead>
      <tbody>
        {messages.map((message) => (
          <tr key={message.message_id}>
            <th scope="row" title={message.message_id}>
              {message.event_type}
            </th>
            <td>
              <Tag status={message.state} />
            </td>
            <td class="number">{message.attempts}</td>
            <td class="number">{message.response_status ?? ""}</td>
            <td class="wrap">
              {message.error ? `${message.error}.` : ""}
              {message.next_attempt_at ? ` Next try ${until(message.next_attempt_at)}.` : ""}
            </td>
            <td class="faint">{ago(message.created_at)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

/** "in 5 min" */
export function until(moment: string): string {
  const seconds = Math.max(0, (Date.parse(moment) - Date.now()) / 1000);
  if (seconds < 60) return "within a minute";
  return seconds < 5400 ? `in ${Math.round(seconds / 60)} min` : `in ${Math.round(seconds / 3600)} h`;
}

function Deletion({ webhook, onDeleted }: { webhook: WebhookDetail; onDeleted: () => void }) {
  const close = useClose();
  const { attempt } = useProblems();
  const submit = async (event: Event) => {
    event.preventDefault();
    close();
    const gone = await attempt(() => api.deleteWebhook(webhook.webhook_id));
    if (gone) {
      announce("The webhook is deleted");
      onDeleted();
    }
  };
  return (
    <form onSubmit={submit}>
      <h2>{`Delete the webhook to ${webhook.host}?`}</h2>
      <p class="quiet">Messages that wait for another try are not sent any more, and its secret is gone.</p>
      <Acts verb="Delete" />
    </form>
  );
}
