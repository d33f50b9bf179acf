/** All that reads CSV files, as one part of the console: it is fetched by the views that need it. */

export { DescribedFile } from "./data/described-file";
export { RowsOfFile } from "./predicting/file/index";
