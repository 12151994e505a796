/** The version of this package, as in deno.json. Kontrol and the proxies have the same version. */
export const VERSION = "0.1.0";
