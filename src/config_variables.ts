import { nearestName } from "./protocol/nearest.ts";

/** What Docker and Kubernetes set for a service of the name `kite` or `kontrol`. */
const SERVICE_VARIABLE = /^(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)$/;
const SERVICE_URL = /^(tcp|udp|sctp):\/\//;

/**
 * True for a value that Kubernetes set for a service, such as `KITE_PORT=tcp://10.0.0.1:80`: it is
 * no setting of ours.
 */
export function isServiceValue(text: string): boolean {
  return SERVICE_URL.test(text);
}

/**
 * Warnings about environment variables that are probably misspelt: a name that begins as ours do,
 * is none of them, and comes near one.
 *
 * @param prefix such as `KITE_`
 * @param known the variables that are read
 * @param names the variables that are set
 */
export function misspeltVariables(
  prefix: string,
  known: readonly string[],
  names: readonly string[],
): string[] {
  const rests = known.map((name) => name.slice(prefix.length));
  const warnings: string[] = [];
  for (const name of names) {
    if (!name.startsWith(prefix) || known.includes(name)) continue;
    const rest = name.slice(prefix.length);
    const near = SERVICE_VARIABLE.test(rest) ? undefined : nearestName(rest, rests);
    if (near === undefined) continue;
    warnings.push(`Ignoring the variable ${name}: did you mean ${prefix}${near}?`);
  }
  return warnings;
}
