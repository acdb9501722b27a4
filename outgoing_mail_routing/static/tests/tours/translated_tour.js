import {registry} from "@web/core/registry";

// Put by tests/test_translations.py before the translation of every sentence
const MARK = "[de] ";
// What the forms and lists of the addon say by themselves, not what records hold
const SENTENCES = [
    ".modal-title",
    "label",
    "th:not([colspan])",
    "p",
    ".o_horizontal_separator",
    ".modal-footer button",
    ".o_field_widget[name=steps] tr td:last-child",
].join(",");

/**
 * Fails for a sentence that is not translated.
 *
 * @param {Element} modal
 */
function checkSentences(modal) {
    const sentences = [...modal.querySelectorAll(SENTENCES)]
        .map((element) => element.innerText.trim())
        .filter((text) => /\w/.test(text));
    const untranslated = sentences.filter(
        (sentence) => !sentence.toLowerCase().startsWith(MARK.trim())
    );
    if (!sentences.length || untranslated.length) {
        throw new Error(`Not translated: ${untranslated.join(" | ")}`);
    }
}

registry.category("web_tour.tours").add("outgoing_mail_routing_translated", {
    steps: () => [
        {
            content: "Open the simulator by its translated button",
            trigger: `.o_form_statusbar button:contains("${MARK}Routing Simulator")`,
            run: "click",
        },
        {
            content: "All that it says is translated",
            trigger: ".modal:has(.o_field_widget[name=steps] tr)",
            run() {
                checkSentences(this.anchor);
            },
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_translated_changes", {
    steps: () => [
        {
            content: "Open the preferences of the user",
            trigger: ".o_notebook a[name=preferences]",
            run: "click",
        },
        {
            content: "Let them not use their own servers",
            trigger: ".o_field_widget[name=use_own_mail_servers] input",
            run: "click",
        },
        {
            content: "The question is translated",
            trigger: `.o_widget_mail_routing_changes button[title^="${MARK}"]:contains("${MARK}What would change")`,
            run: "click",
        },
        {
            content: "So is the answer",
            trigger: ".modal:has(tbody)",
            run() {
                checkSentences(this.anchor);
            },
        },
        {
            content: "Close it",
            trigger: ".modal footer button",
            run: "click",
        },
        {
            content: "Forget what was edited",
            trigger: "body:not(:has(.modal)) .o_form_button_cancel",
            run: "click",
        },
        {
            content: "Wait until it is forgotten",
            trigger: ".o_form_saved",
        },
    ],
});
