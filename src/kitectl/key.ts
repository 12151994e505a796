import { createKiteKey } from "../auth/kite_key.ts";
import { generateKeyPair, importPrivateKey } from "../auth/keys.ts";
import { writeFileAtomic } from "../runtime/files.ts";
import { isValid } from "../../kontrol/key_ring.ts";
import { giveUserKey } from "../../kontrol/own_keys.ts";
import { type AddCommand, examples } from "./command.ts";
import type { Context } from "./context.ts";
import { Failure } from "./exit_codes.ts";
import { LOCAL_HELP, openLocalKontrol } from "./local_kontrol.ts";

/** `kitectl key rotate`: gives Kontrol a new key pair. */
export const addKey: AddCommand = (program, context) => {
  program.command("key").description("change Kontrol's key pair, on Kontrol's machine")
    .command("rotate")
    .description(
      "make a new key pair and retire the older ones; kites get new kite.keys by themselves",
    )
    .argument("[flags...]", "flags of Kontrol, after --")
    .addHelpText("after", LOCAL_HELP)
    .addHelpText("after", examples(`${context.program} key rotate`))
    .action((flags: string[]) => rotate(context, flags));
};

async function rotate(context: Context, flags: readonly string[]): Promise<void> {
  await using kontrol = await openLocalKontrol(context, flags);
  const { settings, keys, username, url: kontrolUrl } = kontrol;
  if (settings.privateKeyFile !== undefined) {
    throw new Failure("Cannot rotate: Kontrol's key pair is in files of your own", {
      hint:
        "Start each Kontrol with files of a new pair, then retire the older one (docs/kontrol.md)",
    });
  }
  if (settings.storage === "memory") {
    throw new Failure("Cannot rotate: a Kontrol on storage memory keeps no older key pairs", {
      hint: "Start Kontrol with another -storage",
    });
  }
  const older = (await keys.keyPairs.list()).filter(isValid);
  const pair = await generateKeyPair();
  const stored = await keys.add(pair);
  const kiteKey = await createKiteKey({
    username,
    kontrolUser: username,
    kontrolUrl,
    privateKey: await importPrivateKey(pair.privateKey),
    publicKeyPem: stored.public,
  });
  // The private key is written first, since it decides at the next start. Older pairs are retired
  // last.
  await writeFileAtomic(`${settings.home}/key.pem`, `${stored.private}\n`, 0o600);
  await writeFileAtomic(`${settings.home}/key_pub.pem`, `${stored.public}\n`, 0o600);
  await writeFileAtomic(`${settings.home}/kite.key`, kiteKey, 0o600);
  for (const { id } of older) await keys.keyPairs.softDelete(id);
  const { note } = await giveUserKey(settings, kiteKey, keys.keyPairs, kontrolUrl);
  context.screen.print(
    `key pair  made, and kept in ${settings.home}/key.pem; ${older.length} retired\n` +
      `kite.key  ${note}\n` +
      "A running Kontrol uses the new pair within seconds.",
  );
}
