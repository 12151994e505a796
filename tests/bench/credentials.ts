/** A key pair, a kite.key and a token as Kontrol issues them, created for one run. */
import { exportPKCS8, exportSPKI, generateKeyPair, SignJWT } from "jose";

/** The owner of all kites of the bench. */
export const USER = "bench";
/** Kontrol's user, the issuer of the tokens. */
export const ISSUER = "kontrol";

/** The credentials of one run, as texts. */
export interface Credentials {
  /** PEM of the key that tokens are checked with. */
  readonly kontrolKey: string;
  readonly privateKey: string;
  readonly token: string;
  /** A file that holds `kontrolKey`. */
  readonly kontrolKeyFile: string;
}

/**
 * Creates the credentials.
 *
 * @param folder the folder for the key file
 */
export async function makeCredentials(folder: string): Promise<Credentials> {
  const pair = await generateKeyPair("RS256", { modulusLength: 2048, extractable: true });
  const kontrolKey = (await exportSPKI(pair.publicKey)).trim();
  const now = Math.floor(Date.now() / 1_000);
  const token = await new SignJWT()
    .setProtectedHeader({ alg: "RS256", typ: "JWT" })
    .setIssuer(ISSUER)
    .setSubject(USER)
    .setAudience(`/${USER}`)
    .setIssuedAt(now - 300)
    .setNotBefore(now - 300)
    .setExpirationTime(now + 48 * 3_600)
    .setJti(crypto.randomUUID())
    .sign(pair.privateKey);
  const kontrolKeyFile = `${folder}/kontrol_key.pem`;
  await Deno.writeTextFile(kontrolKeyFile, kontrolKey + "\n");
  return { kontrolKey, privateKey: await exportPKCS8(pair.privateKey), token, kontrolKeyFile };
}
