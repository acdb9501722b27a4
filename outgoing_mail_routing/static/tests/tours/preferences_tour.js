import {registry} from "@web/core/registry";

const SUMMARY = ".modal .o_field_widget[name=outgoing_mail_summary]";

registry.category("web_tour.tours").add("outgoing_mail_routing_own_preferences", {
    steps: () => [
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
        {
            content: "The line names the server and the address",
            trigger: `${SUMMARY}:contains("Mailbox for the Tour"):contains("mailbox@tour.example")`,
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
