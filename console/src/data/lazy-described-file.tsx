/** The description of a file, whose library is fetched for this view only. */

import { Card, Loading } from "../components/basics";
import { loaded, useLoaded } from "../polling";

export function DescribedFile() {
  const part = useLoaded(() => loaded("What reads files", import("../csv-files")));
  return part ? (
    <part.DescribedFile />
  ) : (
    <Card title="Describe a file">
      <Loading />
    </Card>
  );
}
