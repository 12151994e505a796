/**
 * Shifts the wall clock of a program by `CLOCK` minutes. Load it with `deno run --preload`.
 *
 * @module
 */

const shift = Number(Deno.env.get("CLOCK") ?? 0) * 60_000;

globalThis.Date = new Proxy(Date, {
  construct(target, args, newTarget) {
    return Reflect.construct(target, args.length === 0 ? [target.now() + shift] : args, newTarget);
  },
  get(target, name) {
    return name === "now" ? () => target.now() + shift : Reflect.get(target, name);
  },
});
