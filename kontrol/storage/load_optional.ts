import { KiteError } from "../../src/protocol/errors.ts";

/**
 * Loads a module that needs an npm package which is installed only where it is used.
 *
 * @throws {KiteError} `configError` when the package is not installed
 */
export async function loadOptional<Module>(
  name: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const { code } = (cause ?? {}) as { code?: unknown };
    if (code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new KiteError(
      "configError",
      `Cannot load the npm package ${name}: install it, for example with \`npm install ${name}\``,
      { cause },
    );
  }
}
