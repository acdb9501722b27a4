const js = require("@eslint/js");
const globals = require("globals");

const rules = {
    ...js.configs.recommended.rules,
    "array-callback-return": "error",
    "arrow-body-style": "off",
    "block-scoped-var": "error",
    camelcase: "off",
    complexity: ["warn", 15],
    "consistent-return": "error",
    curly: ["error", "all"],
    "default-case": "error",
    "dot-notation": "error",
    eqeqeq: ["error", "smart"],
    "guard-for-in": "error",
    "max-depth": ["error", 4],
    "max-lines-per-function": ["error", {max: 60, skipComments: true}],
    "no-alert": "error",
    "no-console": "error",
    "no-else-return": "error",
    "no-eval": "error",
    "no-extend-native": "error",
    "no-implied-eval": "error",
    "no-invalid-this": "error",
    "no-lonely-if": "error",
    "no-new-func": "error",
    "no-param-reassign": "error",
    "no-return-assign": "error",
    "no-self-compare": "error",
    "no-shadow": "error",
    "no-throw-literal": "error",
    "no-unneeded-ternary": "error",
    "no-unused-expressions": "error",
    "no-unused-vars": ["error", {argsIgnorePattern: "^_"}],
    "no-use-before-define": ["error", "nofunc"],
    "no-useless-concat": "error",
    "no-useless-return": "error",
    "no-var": "error",
    "object-shorthand": "error",
    "one-var": ["error", "never"],
    "prefer-const": "error",
    "prefer-template": "error",
    radix: "error",
    strict: ["error", "never"],
    yoda: "error",
};

module.exports = [
    {
        ignores: [".workbench/**", "**/static/lib/**", "**/node_modules/**"],
    },
    {
        files: ["**/static/**/*.js"],
        languageOptions: {
            ecmaVersion: 2022,
            sourceType: "module",
            globals: {
                ...globals.browser,
                // What Odoo's loader and its test frameworks put into the page.
                luxon: "readonly",
                odoo: "readonly",
                owl: "readonly",
            },
        },
        rules,
    },
    {
        files: ["*.cjs"],
        languageOptions: {
            ecmaVersion: 2022,
            sourceType: "commonjs",
            globals: globals.node,
        },
        rules: {...rules, strict: "off"},
    },
];
