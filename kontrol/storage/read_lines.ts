/** Hands out the lines of an answer one after the other, without their ends, empty ones left out. */
export async function readLines(response: Response, hear: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  // The pieces of a line that is not complete yet; joined once, however many there are.
  let pieces: string[] = [];
  const add = (text: string): void => {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const whole = pieces.join("") + line;
      pieces = [];
      if (whole !== "") hear(whole);
    }
    if (rest !== "") pieces.push(rest);
  };
  for await (const chunk of response.body ?? []) add(decoder.decode(chunk, { stream: true }));
  add(`${decoder.decode()}\n`);
}
