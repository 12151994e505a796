/**
 * A contract that both sides share: typed at compile time, checked at run time:
 * `deno run -A examples/typed.ts`.
 */
import { z } from "zod";
import { callback, contract, Kite, KiteError, method } from "../mod.ts";

const shop = contract({
  price: method({ args: [z.string(), z.int().min(1)], result: z.number() }),
  items: method({ args: [], items: z.object({ name: z.string(), stock: z.int() }) }),
  watch: method({ args: [z.string(), callback<[price: number]>()] }),
});

const prices = new Map([["tea", 3], ["coffee", 5]]);

const kite = new Kite("shop", "1.0.0", { ip: "127.0.0.1", disableAuthentication: true });
// A missing function, or one with wrong types, does not compile.
kite.implement(shop, {
  price(name, count) {
    const price = prices.get(name);
    if (price === undefined) throw new KiteError("notFound", `there is no ${name}`);
    return price * count;
  },
  async *items() {
    for (const name of prices.keys()) yield { name, stock: 10 };
  },
  watch(name, tell) {
    using done = tell; // the caller's function is not needed any longer
    done(prices.get(name) ?? 0);
  },
});
await using server = await kite.listen();

await using reader = new Kite("reader", "1.0.0");
const remote = reader.newClient(server.url);
await remote.dial();
const api = remote.as(shop);

console.log("2 teas:", await api.price("tea", 2));
for await (const { name, stock } of api.items()) console.log(`${name}: ${stock} in stock`);

const told = Promise.withResolvers<number>();
await api.watch("coffee", told.resolve);
console.log("coffee:", await told.promise);

// Without types, as a Go kite calls it: the arguments are checked all the same.
console.log(await remote.tell("price", "tea", 0).catch(String));
