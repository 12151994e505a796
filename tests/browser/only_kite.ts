/** The smallest program that uses a kite in a page, to measure its bundle. */
import { Kite } from "../../client.ts";

console.log(new Kite("page", "1.0.0").id);
