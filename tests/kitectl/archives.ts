/** Archives for the tests of `kitectl install`, good and hostile ones. */

import { packTar, type TarHeader } from "modern-tar";

/** An entry of an archive. */
export interface Entry extends Partial<TarHeader> {
  readonly name: string;
  readonly body?: string;
}

/** A `.tar.gz` of these entries. */
export async function archive(entries: readonly Entry[]): Promise<Uint8Array<ArrayBuffer>> {
  const tar = await packTar(entries.map(({ body = "", ...header }) => ({
    header: { size: new TextEncoder().encode(body).length, ...header },
    body,
  })));
  return await gzip(new Blob([tar]).stream());
}

/** A kite whose program, unless another is given, prints its arguments and input, and ends with 7. */
export function kiteArchive(
  name: string,
  version: string,
  program = `echo "${name} ${version}: $*"\ncat\nexit 7\n`,
): Promise<Uint8Array<ArrayBuffer>> {
  const folder = `${name}-${version}.kite`;
  return archive([
    { name: `${folder}/`, type: "directory" },
    { name: `${folder}/bin/`, type: "directory" },
    {
      name: `${folder}/bin/${name}`,
      mode: 0o755,
      body: `#!/bin/sh\n${program}`,
    },
    { name: `${folder}/share/readme`, body: "read me" },
  ]);
}

/** Compresses a stream. */
export async function gzip(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const packed = stream.pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** The SHA-256 of bytes, hexadecimal. */
export async function checksum(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
