import {openTechnicalMenu} from "./menu_steps";
import {registry} from "@web/core/registry";

const SERVER = ".modal .o_field_widget[name=route_server_id]";
const FROM = ".modal .o_field_widget[name=email_from] input";

const OPEN_SIMULATOR = openTechnicalMenu(
    "outgoing_mail_routing.mail_routing_simulation_menu"
);

const TYPE_NONSENSE = [
    {
        content: "Type what is no address",
        trigger: FROM,
        run: "edit nonsense",
    },
    {
        content: "It is told to be none",
        trigger: ".modal .alert:contains('“nonsense” in From is no e-mail address')",
    },
    {
        content: "Type the address again",
        trigger: FROM,
        run: "edit shop@shop.example",
    },
];

registry.category("web_tour.tours").add("outgoing_mail_routing_simulator", {
    steps: () => [
        ...OPEN_SIMULATOR,
        {
            content: "It shows the route of one's own mail at once",
            trigger: `${SERVER}:contains("Server of the Tour")`,
        },
        {
            content: "Type another From, and stay in the field",
            trigger: FROM,
            run() {
                this.anchor.focus();
                this.anchor.value = "shop@shop.example";
                this.anchor.dispatchEvent(new InputEvent("input", {bubbles: true}));
            },
        },
        {
            content: "The answer follows while one types",
            trigger: `${SERVER}:contains("Shop of the Tour")`,
        },
        {
            content: "The last step says why",
            trigger:
                ".modal .o_field_widget[name=steps] tr:last-child.fw-bold:contains('The FROM filter of Shop of the Tour admits shop@shop.example.')",
        },
        {
            content: "A server that was never tested is warned of",
            trigger: ".modal .alert-warning:contains('never tested')",
        },
        ...TYPE_NONSENSE,
        {
            content: "Open the server that was taken",
            trigger:
                ".modal .o_field_widget[name=steps] a:contains('Shop of the Tour')",
            run: "click",
        },
        {
            content: "Its form has a button that opens the simulator on it",
            trigger: ".o_form_statusbar button:contains('Routing Simulator')",
            run: "click",
        },
        {
            content: "It is set on the mail",
            trigger:
                ".modal .o_field_widget[name=route_rule]:contains('Set on the mail')",
        },
        {
            content: "Close the simulator",
            trigger: ".modal footer button[special=cancel]",
            run: "click",
        },
        {
            content: "Wait until it is closed",
            trigger: "body:not(:has(.modal))",
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_what_would_change", {
    steps: () => [
        {
            content: "Open the preferences of the user",
            trigger: ".o_notebook a[name=preferences]",
            run: "click",
        },
        {
            content: "Nothing can change before something was edited",
            trigger: ".o_form_view:not(:has(.o_widget_mail_routing_changes button))",
        },
        {
            content: "Let them not use their own servers",
            trigger: ".o_field_widget[name=use_own_mail_servers] input",
            run: "click",
        },
        {
            content: "Ask what would change",
            trigger: ".o_widget_mail_routing_changes button",
            run: "click",
        },
        {
            content: "One mail would take another route",
            trigger: ".modal p:contains('mails, 1 would take another route')",
        },
        {
            content: "It is listed with its route now and then",
            trigger:
                ".modal tbody:contains('Mail of the Tour') td:contains('Mailbox for the Tour')",
        },
        {
            content: "Close the list",
            trigger: ".modal footer button:contains('Close')",
            run: "click",
        },
        {
            content: "The form is still being edited: discard it",
            trigger: "body:not(:has(.modal)) .o_form_button_cancel",
            run: "click",
        },
        {
            content: "Wait until it is discarded",
            trigger: ".o_form_saved",
        },
    ],
});
