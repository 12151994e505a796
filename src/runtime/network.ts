import { builtinModule, isAllowed } from "./platform.ts";

/**
 * Returns the addresses at which other machines may reach this one, IPv4 first; none if the runtime
 * does not provide them.
 */
export function outsideAddresses(): string[] {
  if (!isAllowed({ name: "sys", kind: "networkInterfaces" })) return [];
  const interfaces = Object.values(builtinModule("node:os")?.networkInterfaces() ?? {});
  const addresses = interfaces.flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  return [
    ...addresses.filter(({ family }) => family === "IPv4"),
    ...addresses.filter(({ family }) => family !== "IPv4"),
  ].map(({ address }) => address);
}
