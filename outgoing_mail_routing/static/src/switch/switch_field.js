import {
    BooleanToggleField,
    booleanToggleField,
} from "@web/views/fields/boolean_toggle/boolean_toggle_field";
import {
    ListBooleanToggleField,
    listBooleanToggleField,
} from "@web/views/fields/boolean_toggle/list_boolean_toggle_field";
import {registry} from "@web/core/registry";

/**
 * A switch that stands by itself, without the label of a form: it is its own label.
 */
export class SwitchField extends BooleanToggleField {
    static template = "outgoing_mail_routing.SwitchField";

    get label() {
        return this.props.record.fields[this.props.name].string;
    }
}

/**
 * A switch in a list: its label is read out only, for the column shows it.
 */
export class ListSwitchField extends ListBooleanToggleField {
    static template = "outgoing_mail_routing.ListSwitchField";

    get label() {
        return this.props.record.fields[this.props.name].string;
    }
}

registry.category("fields").add("mail_routing_switch", {
    ...booleanToggleField,
    component: SwitchField,
});

registry.category("fields").add("list.mail_routing_switch", {
    ...listBooleanToggleField,
    component: ListSwitchField,
});
