import type {
  EtcdChanges,
  EtcdCondition,
  EtcdEntry,
  EtcdOutcome,
  EtcdPage,
  EtcdRangeRequest,
  EtcdStep,
  EtcdTransaction,
} from "./etcd_member.ts";

// The gateway's JSON has 64-bit numbers as strings, bytes in base64, and leaves zero values out.
interface JsonKeyValue {
  readonly key?: string;
  readonly value?: string;
  readonly lease?: string;
  readonly mod_revision?: string;
}

interface JsonHeader {
  readonly revision?: string;
}

interface JsonRange {
  readonly header?: JsonHeader;
  readonly kvs?: readonly JsonKeyValue[];
  readonly more?: boolean;
}

interface JsonOutcome {
  readonly header?: JsonHeader;
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: JsonRange }[];
}

interface JsonWatch {
  readonly header?: JsonHeader;
  readonly canceled?: boolean;
  readonly cancel_reason?: string;
  readonly compact_revision?: string;
  readonly events?: readonly { readonly type?: string; readonly kv?: JsonKeyValue }[];
}

/** The request body of a range. */
export function rangeBody(request: EtcdRangeRequest): object {
  const { key, end, limit = 0, keysOnly = false, revision = "0", newestFirst = false } = request;
  return {
    key: encode(key),
    ...(end !== undefined && { range_end: encode(end) }),
    limit: String(limit),
    keys_only: keysOnly,
    revision,
    ...(newestFirst && { sort_target: "CREATE", sort_order: "DESCEND" }),
  };
}

/** The answer to {@linkcode rangeBody}. */
export function readPage({ header, kvs = [], more = false }: JsonRange): EtcdPage {
  return { entries: kvs.map(readEntry), more, revision: readRevision(header) };
}

/** The request body of a transaction. */
export function transactionBody(transaction: EtcdTransaction): object {
  const { conditions = [], steps, otherwise = [] } = transaction;
  return {
    compare: conditions.map(conditionBody),
    success: steps.map(stepBody),
    failure: otherwise.map(stepBody),
  };
}

/** The answer to {@linkcode transactionBody}. */
export function readOutcome(answer: JsonOutcome): EtcdOutcome {
  const { header, succeeded = false, responses = [] } = answer;
  const read = responses.map(({ response_range }) => (response_range?.kvs ?? []).map(readEntry));
  return { succeeded, read, revision: readRevision(header) };
}

/** The request body that starts a watch. */
export function watchBody(range: { key: string; end: string; since: number }): object {
  const { key, end, since } = range;
  return {
    create_request: {
      key: encode(key),
      range_end: encode(end),
      start_revision: String(since),
    },
  };
}

/** One message of a watch. */
export function readChanges(answer: JsonWatch): EtcdChanges {
  const { header, canceled, cancel_reason, compact_revision, events = [] } = answer;
  const changes = events.map(({ type, kv = {} }) => {
    return { isDeletion: type === "DELETE", entry: readEntry(kv) };
  });
  const revision = readRevision(header);
  if (canceled !== true) return { revision, changes };
  const reason = compact_revision === undefined ? "" : `compacted up to ${compact_revision}`;
  return { revision, changes, cancelled: cancel_reason ?? reason };
}

function conditionBody(condition: EtcdCondition): object {
  const { key } = condition;
  return "changedAt" in condition
    ? { key: encode(key), target: "MOD", result: "EQUAL", mod_revision: condition.changedAt }
    : { key: encode(key), target: "CREATE", result: "EQUAL", create_revision: condition.createdAt };
}

function stepBody(step: EtcdStep): object {
  if ("put" in step) {
    const { put, value, lease = "0" } = step;
    return { request_put: { key: encode(put), value: encode(value), lease } };
  }
  if ("delete" in step) return { request_delete_range: { key: encode(step.delete) } };
  return { request_range: { key: encode(step.read), keys_only: step.keysOnly ?? false } };
}

function readEntry({ key = "", value = "", lease = "0", mod_revision = "0" }: JsonKeyValue) {
  return { key: decode(key), value: decode(value), lease, revision: mod_revision } as EtcdEntry;
}

function readRevision(header: JsonHeader | undefined): string {
  return header?.revision ?? "0";
}

/** Base64 of the UTF-8 bytes of a text. */
function encode(text: string): string {
  // Nearly all keys are ASCII, for which btoa suffices.
  if (ASCII.test(text)) return btoa(text);
  return btoa(
    Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""),
  );
}

function decode(base64: string): string {
  const binary = atob(base64);
  if (ASCII.test(binary)) return binary;
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
}

// deno-lint-ignore no-control-regex -- control characters are ASCII too
const ASCII = /^[\x00-\x7f]*$/;
