import {Component, useState} from "@odoo/owl";
import {Dialog} from "@web/core/dialog/dialog";
import {_t} from "@web/core/l10n/translation";
import {registry} from "@web/core/registry";
import {standardWidgetProps} from "@web/views/widgets/standard_widget_props";
import {useService} from "@web/core/utils/hooks";

/**
 * The mails that would take another route: when, what, and the route now and then.
 */
export class RouteChangesDialog extends Component {
    static template = "outgoing_mail_routing.RouteChangesDialog";
    static components = {Dialog};
    static props = {
        close: Function,
        total: Number,
        rows: Array,
        untold: Array,
    };

    get title() {
        return _t("What Would Change");
    }

    get summary() {
        if (!this.props.total) {
            return _t("Odoo keeps no mail yet whose route could be compared.");
        }
        return _t("Of the last %(total)s mails, %(count)s would take another route.", {
            total: this.props.total,
            count: this.props.rows.length,
        });
    }
}

/**
 * A button on a form that is being edited: which of the last mails would take another
 * route, were it saved. Nothing is saved or sent.
 */
export class RouteChanges extends Component {
    static template = "outgoing_mail_routing.RouteChanges";
    static props = {...standardWidgetProps};

    setup() {
        this.orm = useService("orm");
        this.dialog = useService("dialog");
        this.state = useState({asking: false});
    }

    async onClick() {
        const {record} = this.props;
        this.state.asking = true;
        try {
            const answer = await this.orm.call("mail.routing.preview", "get_changes", [
                record.resModel,
                record.resId,
                await record.getChanges(),
            ]);
            this.dialog.add(RouteChangesDialog, answer);
        } finally {
            this.state.asking = false;
        }
    }
}

registry.category("view_widgets").add("mail_routing_changes", {
    component: RouteChanges,
});
