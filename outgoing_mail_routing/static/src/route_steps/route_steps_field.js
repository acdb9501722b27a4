import {Component} from "@odoo/owl";
import {_t} from "@web/core/l10n/translation";
import {registry} from "@web/core/registry";
import {standardFieldProps} from "@web/views/fields/standard_field_props";
import {useService} from "@web/core/utils/hooks";

/**
 * The steps of a route as a table: every rule and server that was looked at, whether
 * it was taken, and why. A server opens on a click.
 */
export class RouteStepsField extends Component {
    static template = "outgoing_mail_routing.RouteStepsField";
    static props = {...standardFieldProps};

    setup() {
        this.action = useService("action");
    }

    get steps() {
        return this.props.record.data[this.props.name] || [];
    }

    /**
     * @param {Number} serverId
     */
    openServer(serverId) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "ir.mail_server",
            res_id: serverId,
            views: [[false, "form"]],
        });
    }
}

registry.category("fields").add("mail_routing_steps", {
    component: RouteStepsField,
    displayName: _t("Steps of a Mail's Route"),
    supportedTypes: ["json"],
});
