import { moveFolder, removeEmptyFolder, removeFolder } from "../runtime/folders.ts";
import { type AddCommand, examples } from "./command.ts";
import { findInstalled, kitesFolder } from "./installed.ts";

/** `kitectl uninstall`: removes an installed kite. */
export const addUninstall: AddCommand = (program, context) => {
  program.command("uninstall")
    .description("remove an installed kite")
    .argument("<kite>", "its name, such as fs or github.com/koding/fs.kite/1.0.0")
    .addHelpText("after", examples(`${context.program} uninstall github.com/koding/fs.kite/1.0.0`))
    .action(async (name: string) => {
      const kite = await findInstalled(name);
      const root = kitesFolder();
      // After this step it is no longer installed, even if removing its files is interrupted.
      const away = `${root}/.removed-${crypto.randomUUID()}`;
      await moveFolder(kite.folder, away);
      await removeFolder(away);
      const parts = kite.name.split("/");
      for (let length = 3; length > 0; length--) {
        if (!await removeEmptyFolder(`${root}/${parts.slice(0, length).join("/")}`)) break;
      }
      context.screen.print(`Uninstalled ${kite.name}`);
    });
};
