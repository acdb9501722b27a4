import {registry} from "@web/core/registry";

const SUMMARY = ".modal .o_field_widget[name=outgoing_mail_summary]";

const OPEN_PREFERENCES = [
    {
        content: "Open the user menu",
        trigger: ".o_user_menu button",
        run: "click",
    },
    {
        content: "Open the preferences",
        trigger: "[data-menu=preferences]",
        run: "click",
    },
];

registry.category("web_tour.tours").add("outgoing_mail_routing_own_preferences", {
    steps: () => [
        ...OPEN_PREFERENCES,
        {
            content: "The line names the server and the address",
            trigger: `${SUMMARY}:contains("Mailbox for the Tour"):contains("mailbox@tour.example")`,
        },
        {
            content: "It tells where answers go, and that nothing collects them",
            trigger: `${SUMMARY}:contains("answers go to mailbox@tour.example")`,
        },
        {
            content: "A warning says what that means",
            trigger: `.modal .text-warning:contains("do not reach Odoo")`,
        },
        {
            content: "It cannot be edited",
            trigger: `${SUMMARY}.o_readonly_modifier:not(:has(input, textarea))`,
        },
        {
            content: "Servers are assigned by administrators only",
            trigger: `.modal .o_form_view:not(:has([name=own_mail_server_ids], [name=use_own_mail_servers]))`,
        },
        {
            content: "Close the preferences",
            trigger: `.modal button[special=cancel]`,
            run: "click",
        },
        {
            content: "Wait until they are closed",
            trigger: "body:not(:has(.modal))",
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_disconnect_account", {
    steps: () => [
        ...OPEN_PREFERENCES,
        {
            content: "The line names the account that is connected",
            trigger: `${SUMMARY}:contains("outgoing email"):contains("anna@a.example")`,
        },
        {
            content: "Go back to the default server",
            trigger: ".modal .o_field_widget[name=outgoing_mail_server_type] select",
            run: "selectByLabel Default",
        },
        {
            content: "Wait until Odoo says so",
            trigger: ".o_notification:contains('default server')",
        },
        {
            content: "Close the preferences",
            trigger: ".modal .modal-header button.btn-close",
            run: "click",
        },
        {
            content: "Open the user menu again",
            trigger: "body:not(:has(.modal)) .o_user_menu button",
            run: "click",
        },
        {
            content: "Open the preferences again",
            trigger: "[data-menu=preferences]",
            run: "click",
        },
        {
            content: "The line names the server that was assigned",
            trigger: `${SUMMARY}:contains("office@mailbox.example"):not(:contains("outgoing email"))`,
        },
        {
            content: "Close the preferences",
            trigger: `.modal button[special=cancel]`,
            run: "click",
        },
        {
            content: "Wait until they are closed",
            trigger: "body:not(:has(.modal))",
        },
    ],
});
