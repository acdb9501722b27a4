// @ts-check

/** @type {import("prettier").Config} */
module.exports = {
    // Found through NODE_PATH, or in an ordinary node_modules folder.
    plugins: [require.resolve("@prettier/plugin-xml")],
    bracketSpacing: false,
    printWidth: 88,
    proseWrap: "always",
    semi: true,
    trailingComma: "es5",
    xmlWhitespaceSensitivity: "strict",
};
