import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { Acts, Dialog } from "../src/components/dialog";

function opened(acts: preact.ComponentChild): { buttons: HTMLButtonElement[]; closed: () => boolean } {
  const place = document.createElement("div");
  document.body.replaceChildren(place);
  let closed = false;
  act(() =>
    render(
      <Dialog label="Any" onClosed={() => (closed = true)}>
        <form>{acts}</form>
      </Dialog>,
      place,
    ),
  );
  return { buttons: [...place.querySelectorAll("button")], closed: () => closed };
}

it("a dialog is left by one button, and its form is sent by the other", () => {
  const { buttons, closed } = opened(<Acts verb="Start" />);
  expect(buttons.map(({ textContent, type }) => [textContent, type])).toEqual([
    ["Cancel", "button"],
    ["Start", "submit"],
  ]);
  buttons[0]?.click();
  expect(closed()).toBe(true);
});

it("nothing is sent twice, or when there is nothing left to do", () => {
  expect(opened(<Acts verb="Start" busy />).buttons[1]?.disabled).toBe(true);
  expect(opened(<Acts verb={null} leave="Close" />).buttons.map(({ textContent }) => textContent)).toEqual(["Close"]);
});
