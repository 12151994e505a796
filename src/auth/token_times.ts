/** When a token was issued and when it expires, seconds since 1970. */
export interface TokenTimes {
  readonly exp?: number;
  readonly iat?: number;
}

/**
 * Reads the **unverified** times of one's own token, to know when to renew it. A text that is not a
 * token has none.
 */
export function readTokenTimes(token: string): TokenTimes {
  try {
    const body = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const { exp, iat } = JSON.parse(atob(body)) as Readonly<Record<string, unknown>>;
    return {
      ...(typeof exp === "number" ? { exp } : {}),
      ...(typeof iat === "number" ? { iat } : {}),
    };
  } catch {
    return {};
  }
}
