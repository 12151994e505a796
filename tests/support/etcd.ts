import { programOf } from "../../tools/parts.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

const START_MS = 15_000;

interface Member {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
  process?: Deno.ChildProcess;
}

/** A real etcd cluster of a test, its data in a temporary folder. */
export class TestEtcd implements AsyncDisposable {
  /** The members' URLs, in the order of their numbers. */
  readonly endpoints: readonly string[];
  readonly #members: readonly Member[];
  readonly #directory: string;
  readonly #program: string;

  private constructor(members: readonly Member[], directory: string, program: string) {
    this.#members = members;
    this.endpoints = members.map(({ client }) => client);
    this.#directory = directory;
    this.#program = program;
  }

  /** Starts a cluster of `size` members and waits until it takes requests. */
  static async start(size = 1): Promise<TestEtcd> {
    const program = programOf("etcd");
    if (program === undefined) throw new Error("there is no etcd here");
    const members = Array.from({ length: size }, (_, number) => ({
      name: `member-${number}`,
      client: `http://127.0.0.1:${freePort()}`,
      peer: `http://127.0.0.1:${freePort()}`,
    }));
    const directory = await Deno.makeTempDir({ prefix: "kite_etcd_" });
    const cluster = new TestEtcd(members, directory, program);
    try {
      await Promise.all(members.map((_, number) => cluster.startMember(number)));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /**
   * Starts a member, anew or again, on its own ports and data.
   * @param isAwaited whether to wait until it takes requests, which takes a majority of the members.
   */
  async startMember(number: number, isAwaited = true): Promise<void> {
    const member = this.#member(number);
    const peers = this.#members.map(({ name, peer }) => `${name}=${peer}`).join();
    // What it says is not read: a line amid a test would look like a leak of that test.
    member.process = new Deno.Command(this.#program, {
      args: [
        ...["--name", member.name, "--data-dir", `${this.#directory}/${member.name}`],
        ...["--listen-client-urls", member.client, "--advertise-client-urls", member.client],
        ...["--listen-peer-urls", member.peer, "--initial-advertise-peer-urls", member.peer],
        ...["--initial-cluster", peers, "--initial-cluster-state", "new"],
        ...["--logger", "zap", "--unsafe-no-fsync"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    if (!isAwaited) return;
    await eventually(async () => {
      const response = await fetch(`${member.client}/health`);
      const { health } = await response.json();
      return health === "true";
    }, { withinMs: START_MS, what: `a healthy etcd at ${member.client}` });
  }

  /** Kills a member, as a crash would. */
  async killMember(number: number): Promise<void> {
    const member = this.#member(number);
    const { process } = member;
    if (process === undefined) return;
    delete member.process;
    try {
      process.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself, as when its port was taken: that it is not healthy says so.
      if (!(error instanceof TypeError)) throw error;
    }
    await process.status;
  }

  /** Stops a member from running without ending it, or lets it run again. */
  freezeMember(number: number, isFrozen: boolean): void {
    const pid = this.#member(number).process?.pid;
    if (pid === undefined) throw new Error(`member ${number} does not run`);
    Deno.kill(pid, isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((_, number) => this.killMember(number)));
    await Deno.remove(this.#directory, { recursive: true });
  }

  #member(number: number): Member {
    const member = this.#members[number];
    if (member === undefined) throw new Error(`there is no member ${number}`);
    return member;
  }
}
