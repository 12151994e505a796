import type { Client } from "../client.ts";
import type { KontrolQuery } from "../protocol/query.ts";
import { type FoundKite, isNotFound } from "./found_kites.ts";
import type { FinderHost } from "./discovery_host.ts";
import { TokenRenewer } from "./token_renewer.ts";

/** What a client needs to renew its token. */
export interface RenewalHost extends Pick<FinderHost, "newClient" | "report"> {
  /** Requests a new token for the one kite that matches. */
  getToken(query: KontrolQuery): Promise<string>;
  findKites(query: KontrolQuery): Promise<readonly FoundKite[]>;
}

/** Creates a client of a kite that Kontrol returned. The client renews its token. */
export function createRenewingClient(
  { kite, url, token }: FoundKite,
  { newClient, getToken, findKites, report }: RenewalHost,
): Client {
  const options = { authentication: { type: "token", key: token }, identity: kite } as const;
  const client: Client = newClient(url, options, { beforeCall: () => renewer.due() });
  let last = kite;
  const fetchToken = async (): Promise<string> => {
    try {
      return await getToken(last);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    // The kite has restarted with a new id. A token is valid for every kite of that name.
    const { username, environment, name } = last;
    const found = await findKites({ username, environment, name });
    last = (found.find((each) => each.url === url) ?? found[0]!).kite;
    return await getToken(last);
  };
  const renewer = new TokenRenewer(client, fetchToken, report);
  return client;
}
