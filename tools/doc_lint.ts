/**
 * A rule of `deno lint` for doc comments: each tag begins a line, because `deno doc` prints others
 * as plain text. `deno lint --fix` moves them.
 *
 * @module
 */

const plugin: Deno.lint.Plugin = {
  name: "docs",
  rules: { "tags-begin-lines": { create: checkTags } },
};

export default plugin;

/** A tag of JSDoc after other text of its line. */
const TAG_IN_LINE =
  /(?<=\S)\s+(?=@(?:default|deprecated|example|param|returns|see|template|throws)\b)/;

function checkTags(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  return {
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        if (comment.type !== "Block" || !comment.value.startsWith("*")) continue;
        const lines = readLines(comment.value);
        const moved = moveTags(lines);
        if (moved.join("\n") === lines.join("\n")) continue;
        const [start, end] = comment.range;
        const text = context.sourceCode.text;
        const indent = text.slice(text.lastIndexOf("\n", start) + 1, start);
        context.report({
          range: [start, end],
          message: "A tag of a doc comment must begin a line",
          hint: "`deno lint --fix` moves it",
          fix: (fixer) => fixer.replaceTextRange([start, end], format(moved, indent)),
        });
      }
    },
  };
}

/** The lines of a comment without its stars. */
function readLines(value: string): string[] {
  const lines = value.slice(1).split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  const [first = "", ...rest] = lines;
  if (rest.length === 0) return [first.trim()];
  // Text before the closing `*/` on the same line is not a line of its own.
  const body = rest.at(-1)?.trim() === "" ? rest.slice(0, -1) : rest;
  return first.trim() === "" ? body : [first.trim(), ...body];
}

/** Gives each tag outside of code a line of its own, after an empty line if text precedes it. */
function moveTags(lines: readonly string[]): string[] {
  let isCode = false;
  const moved: string[] = [];
  for (const line of lines) {
    if (line.trimStart().startsWith("```")) isCode = !isCode;
    for (const [i, part] of (isCode ? [line] : splitAtTags(line)).entries()) {
      const before = moved.at(-1);
      if (before?.startsWith("@param") && part.startsWith("@default ")) {
        // A parameter's default is part of its description.
        const separator = /^@param \S+$/.test(before) ? "" : ";";
        const text = `${before.replace(/[.;]$/, "")}${separator} default: ${part.slice(9)}`;
        moved.splice(-1, 1, text);
        continue;
      }
      if (i > 0 && before !== "" && !before?.startsWith("@")) moved.push("");
      moved.push(part);
    }
  }
  return moved;
}

/** Splits a line before its tags, except for those in code spans. */
function splitAtTags(line: string): string[] {
  const spans: string[] = [];
  const masked = line.replaceAll(/`[^`]*`/g, (span) => `\u{0}${spans.push(span) - 1}\u{0}`);
  return masked.split(new RegExp(TAG_IN_LINE, "g")).map((part) =>
    part.replaceAll(/\0(\d+)\0/g, (_, index) => spans[Number(index)] ?? "")
  );
}

function format(lines: readonly string[], indent: string): string {
  const body = lines.map((line) => `${indent} *${line === "" ? "" : ` ${line}`}\n`).join("");
  return `/**\n${body}${indent} */`;
}
