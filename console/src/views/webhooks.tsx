/** The webhooks, and what became of their messages. Only an admin's key may see them. */

import { useState } from "preact/hooks";
import { refused, useMe } from "../access";
import * as api from "../api";
import { Card, Empty, Headings, Loading, Notice, Scroll } from "../components/basics";
import { Button } from "../components/controls";
import { ago } from "../format";
import { usePolling } from "../polling";
import { useAddress } from "../routing";
import type { WebhookState } from "../schema";
import { NewWebhook } from "./new-webhook";
import { WebhookOpened } from "./webhook-opened";

const INTERVAL = 10_000;

export function Webhooks({ params }: { params: URLSearchParams }) {
  const no = refused(useMe(), "admin", "To see webhooks");
  return no ? (
    <Card title="Webhooks">
      <Notice>{no}</Notice>
    </Card>
  ) : (
    <OfAdmin params={params} />
  );
}

function OfAdmin({ params }: { params: URLSearchParams }) {
  const [opened, setOpened] = useAddress(params, "webhook");
  const [webhooks, setWebhooks] = useState<WebhookState[]>();
  const [adding, setAdding] = useState(false);
  const refresh = usePolling(
    async (signal) => {
      setWebhooks((await api.webhooks({ signal })).webhooks);
      return undefined;
    },
    INTERVAL,
    [],
  );
  return (
    <>
      <Card
        title="Webhooks"
        tools={
          <Button class="button small" onClick={() => setAdding(true)}>
            Add a webhook
          </Button>
        }
      >
        {!webhooks ? (
          <Loading />
        ) : webhooks.length ? (
          <WebhookTable webhooks={webhooks} onOpen={setOpened} />
        ) : (
          <Empty title="No webhooks">
            One sends the platform's events to an https address or to Slack, signed and tried again for a day.
          </Empty>
        )}
      </Card>
      {opened ? (
        <WebhookOpened
          key={opened}
          webhookId={opened}
          onClose={() => setOpened("")}
          onDeleted={() => {
            setOpened("");
            refresh();
          }}
        />
      ) : null}
      {adding ? <NewWebhook onMade={refresh} onClosed={() => setAdding(false)} /> : null}
    </>
  );
}

const WebhookTable = ({ webhooks, onOpen }: { webhooks: WebhookState[]; onOpen: (id: string) => void }) => (
  <Scroll label="Table of webhooks">
    <table>
      <thead>
        <tr>
          <Headings text={["Host", "Events", "Models", "Format", "By", "Made", "For"]} />
        </tr>
      </thead>
      <tbody>
        {webhooks.map((webhook) => (
          <tr key={webhook.webhook_id}>
            <th scope="row" class="long" title={webhook.host}>
              <button class="link" type="button" onClick={() => onOpen(webhook.webhook_id)}>
                {webhook.host}
              </button>
            </th>
            <td class="wrap">{webhook.events.join(", ")}</td>
            <td class="long" title={webhook.models.join(", ")}>
              {webhook.models.join(", ")}
            </td>
            <td>{webhook.format}</td>
            <td>{webhook.actor}</td>
            <td class="faint">{ago(webhook.created_at)}</td>
            <td class="long" title={webhook.description ?? ""}>
              {webhook.description ?? ""}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);
