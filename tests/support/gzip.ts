/** Returns how many bytes `gzip -9` makes of a text. Deno's own compressor is weaker. */
export async function gzippedBytes(text: string): Promise<number> {
  await using process = new Deno.Command("gzip", {
    args: ["-9", "--stdout"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const [, compressed] = await Promise.all([
    new Blob([text]).stream().pipeTo(process.stdin),
    new Response(process.stdout).bytes(),
  ]);
  return compressed.length;
}
