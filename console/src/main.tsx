import { render } from "preact";
import { App } from "./app";
import "uplot/dist/uPlot.min.css";
import "./styles/index.css";
import { applyTheme, currentTheme } from "./theme";

applyTheme(currentTheme());
const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App />, root);
}
