import type { Client } from "../client.ts";
import type { Api, Contract } from "../rpc/contract_types.ts";
import type { TellOptions } from "../rpc/remote.ts";
import type { KiteEvent } from "./watch.ts";

/** Timeout and signal of a request to Kontrol. */
export type WaitOptions = Pick<TellOptions, "timeout" | "signal">;

/** Options of {@linkcode Kite.getToken}. */
export interface GetTokenOptions extends WaitOptions {
  /**
   * Requests a new token instead of one that Kontrol has cached.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** The contract of the kites to find. */
export interface WithContract<C extends Contract> {
  /** Each kite is returned together with the typed functions of this contract. */
  readonly contract: C;
}

/** A client, and the typed functions that call its remote. */
export interface TypedClient<C extends Contract> {
  /** The client, not connected yet. */
  readonly client: Client;
  /** The functions of the contract. */
  readonly api: Api<C>;
}

/** An event of {@linkcode Kite.watchKites} with a contract: a kite that appears comes with a client. */
export type TypedKiteEvent<C extends Contract> =
  | KiteEvent & { readonly action: "REGISTER" } & TypedClient<C>
  | KiteEvent & { readonly action: "DEREGISTER" };
