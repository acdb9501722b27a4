import {
    SelectionField,
    selectionField,
} from "@web/views/fields/selection/selection_field";
import {_t} from "@web/core/l10n/translation";
import {registry} from "@web/core/registry";

/**
 * The sender of a message. Who may be chosen depends on the reader and on the record,
 * so the options are not those of the field, but are read with the record.
 */
export class MailSenderField extends SelectionField {
    setup() {
        super.setup();
        this.type = "selection";
    }

    get options() {
        return this.props.record.data.sender_options || [];
    }

    get string() {
        return this.options.find(([key]) => key === this.value)?.[1] ?? "";
    }

    get value() {
        return super.value || "";
    }
}

registry.category("fields").add("mail_sender", {
    ...selectionField,
    component: MailSenderField,
    displayName: _t("Sender of a Message"),
    supportedTypes: ["char"],
    fieldDependencies: [{name: "sender_options", type: "json"}],
});
