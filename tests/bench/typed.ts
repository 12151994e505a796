/** The contract of the typed call that is measured. */
import { z } from "zod";
import { contract, method } from "../../mod.ts";

export const typed = contract({
  typedSquare: method({ args: [z.number()], result: z.number() }),
});
