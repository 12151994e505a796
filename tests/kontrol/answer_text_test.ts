import { assertEquals } from "@std/assert";
import { AnswerText } from "../../kontrol/answer_text.ts";

Deno.test("AnswerText: joins its pieces, and knows the length before", () => {
  for (const pieces of [[], ["a"], ["a", "bc", ""]]) {
    const text = new AnswerText("[", pieces, "]");
    assertEquals(text.length, `[${pieces}]`.length);
    assertEquals(text.toString(), `[${pieces}]`);
    const whole = text.within("{", "}");
    assertEquals([whole.length, `${whole}`], [text.length + 2, `{[${pieces}]}`]);
  }
});
