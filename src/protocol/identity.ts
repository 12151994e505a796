/** What a kite says of itself in every call: seven fields, general to specific (wire.md 3). */
export interface KiteIdentity {
  readonly username: string;
  readonly environment: string;
  readonly name: string;
  readonly version: string;
  readonly region: string;
  readonly hostname: string;
  readonly id: string;
}
