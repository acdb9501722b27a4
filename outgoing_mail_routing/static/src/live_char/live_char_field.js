import {CharField, charField} from "@web/views/fields/char/char_field";
import {registry} from "@web/core/registry";
import {useDebounced} from "@web/core/utils/timing";
import {useEffect} from "@odoo/owl";

const PAUSE = 250;

/**
 * A text that the form takes over while it is typed, not only when the field is left,
 * so that what is computed from it follows at once.
 */
export class LiveCharField extends CharField {
    setup() {
        super.setup();
        const takeOver = useDebounced(() => {
            // What core's input hook listens to when the field is left
            this.input.el?.dispatchEvent(new Event("change"));
        }, PAUSE);
        useEffect(
            (input) => {
                input?.addEventListener("input", takeOver);
                return () => input?.removeEventListener("input", takeOver);
            },
            () => [this.input.el]
        );
    }
}

registry
    .category("fields")
    .add("mail_routing_live_char", {...charField, component: LiveCharField});
