import {registry} from "@web/core/registry";

const SAVE = [
    {
        content: "Save the form",
        trigger: ".o_form_button_save",
        run: "click",
    },
    {
        content: "Wait until it is saved",
        trigger: ".o_form_saved",
    },
];

/**
 * Steps that choose a record in a field of tags.
 *
 * @param {String} field name of the field
 * @param {String} name display name of the record
 * @returns {Object[]}
 */
function chooseTag(field, name) {
    return [
        {
            content: `Search ${name}`,
            trigger: `.o_field_widget[name=${field}] input`,
            run: `edit ${name}`,
        },
        {
            content: `Choose ${name}`,
            trigger: `.o-autocomplete--dropdown-item:contains("${name}")`,
            run: "click",
        },
        {
            content: `${name} is a tag now`,
            trigger: `.o_field_widget[name=${field}] .o_tag:contains("${name}")`,
        },
    ];
}

registry.category("web_tour.tours").add("outgoing_mail_routing_assign_to_user", {
    steps: () => [
        {
            content: "Open the preferences of the user",
            trigger: ".o_notebook a[name=preferences]",
            run: "click",
        },
        {
            content: "There is nothing to switch off before a server is assigned",
            trigger:
                ".o_form_view:not(:has(.o_field_widget[name=use_own_mail_servers]))",
        },
        ...chooseTag("own_mail_server_ids", "Mailbox for the Tour"),
        {
            content: "Own servers are in use by default",
            trigger: ".o_field_widget[name=use_own_mail_servers] input:checked",
        },
        ...SAVE,
        {
            content: "The line of the user names the server and its address",
            trigger: `.o_field_widget[name=outgoing_mail_summary]:contains("Mailbox for the Tour"):contains("mailbox@tour.example")`,
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_assign_to_company", {
    steps: () => [
        {
            content: "A company without servers shows a warning",
            trigger: ".o_field_widget[name=mail_routing_warning]",
        },
        ...chooseTag("mail_server_ids", "Mailbox for the Tour"),
        {
            content: "The warning is gone",
            trigger:
                ".o_form_view:not(:has(.o_field_widget[name=mail_routing_warning]))",
        },
        {
            content: "Before it is saved, the form says where mail leaves",
            trigger: `.o_field_widget[name=outgoing_mail_summary]:contains("“Mailbox for the Tour” as mailbox@tour.example")`,
        },
        {
            content: "Save the company, which loads the page anew",
            trigger: ".o_form_button_save",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The server is assigned",
            trigger: `.o_form_saved .o_field_widget[name=mail_server_ids] .o_tag:contains("Mailbox for the Tour")`,
        },
    ],
});

const READ_WHAT_IS_THERE = [
    {
        content: "Its connection was not tested",
        trigger: ".o_form_view label:contains('Last Tested')",
    },
    {
        content: "That is said",
        trigger: ".o_form_view span:contains('Never as it is configured now')",
    },
    {
        content: "Its log has the buttons of any other",
        trigger: ".o-mail-Chatter-sendMessage:visible",
    },
    {
        content: "The followers, too",
        trigger: ".o-mail-Followers:visible",
    },
];

registry.category("web_tour.tours").add("outgoing_mail_routing_server_policies", {
    steps: () => [
        {
            content: "Nothing to warn about yet",
            trigger: ".o_form_view:not(:has(.o_field_widget[name=routing_warning]))",
        },
        ...READ_WHAT_IS_THERE,
        {
            content: "Delegation is offered only where users are assigned",
            trigger: ".o_form_view:not(:has(.o_field_widget[name=delegation]))",
        },
        ...chooseTag("own_user_ids", "User of the Tour"),
        {
            content: "Let colleagues send through it",
            trigger: `.o_field_widget[name=delegation] .o_radio_item:contains("Also what colleagues") input`,
            run: "click",
        },
        {
            content: "Restrict From to the sender address",
            trigger: ".o_field_widget[name=from_policy] input",
            run: "click",
        },
        {
            content: "Choose the sender address only",
            trigger: `.o_select_menu_item:contains("Its sender address only")`,
            run: "click",
        },
        {
            content: "Open where replies go",
            trigger: ".o_field_widget[name=reply_to_policy] input",
            run: "click",
        },
        {
            content: "Let answers go to From",
            trigger: `.o_select_menu_item:contains("The address in From")`,
            run: "click",
        },
        {
            content: "Nothing collects them: a warning appears",
            trigger: `.alert-warning .o_field_widget[name=routing_warning]:contains("no incoming mail server")`,
        },
        ...SAVE,
        {
            content: "The warning stays",
            trigger: `.o_field_widget[name=routing_warning]:contains("no incoming mail server")`,
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_settings", {
    steps: () => [
        {
            content: "The company inherits the server of its parent",
            trigger: `#outgoing_mail_routing_company .o_field_widget[name=outgoing_mail_summary]:contains("“Relay of the Parent” as relay@tour.example")`,
        },
        {
            content: "Its name stands where none is assigned",
            trigger: `#outgoing_mail_routing_company .o_field_widget[name=mail_server_ids] input[placeholder="Relay of the Parent"]`,
        },
        ...chooseTag("mail_server_ids", "Mailbox for the Tour"),
        {
            content: "Before it is saved, the settings say where mail leaves",
            trigger: `#outgoing_mail_routing_company .o_field_widget[name=outgoing_mail_summary]:contains("“Mailbox for the Tour” as mailbox@tour.example")`,
        },
        {
            content: "Save the settings, which loads the page anew",
            trigger: ".o_form_button_save",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The server is assigned",
            trigger: `#outgoing_mail_routing_company .o_field_widget[name=mail_server_ids] .o_tag:contains("Mailbox for the Tour")`,
        },
        {
            content: "Go on to the companies",
            trigger: `#outgoing_mail_routing_assignments button:contains("Companies")`,
            run: "click",
        },
        {
            content: "They are listed",
            trigger: `.o_breadcrumb:contains("Companies")`,
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_collect_replies", {
    steps: () => [
        {
            content: "Let the replies of this account be collected",
            trigger: "button[name=action_collect_replies]",
            run: "click",
        },
        {
            content: "The incoming server has the same login",
            trigger: `.o_field_widget[name=user] input:value("mailbox@tour.example")`,
        },
        {
            content: "Its host is guessed",
            trigger: `.o_field_widget[name=server] input:value("imap.tour.example")`,
        },
        {
            content: "The password is there and cannot be read",
            trigger: `.o_field_widget[name=password] input[type=password]:value("secret")`,
        },
        {
            content: "It takes replies only",
            trigger: ".o_field_widget[name=replies_only] input:checked",
        },
        {
            content: "So nothing else becomes a record",
            trigger: ".o_form_view:not(:has(.o_field_widget[name=object_id]))",
        },
        {
            content: "IMAP needs no warning",
            trigger: ".o_form_view:not(:has(.alert-warning))",
        },
        {
            content: "Choose POP",
            trigger: ".o_field_widget[name=server_type] input[data-value=pop]",
            run: "click",
        },
        {
            content: "What POP cannot promise is said",
            trigger: `.alert-warning:contains("deletes the answers that it takes")`,
        },
        ...SAVE,
        {
            content: "Go back to the outgoing server",
            trigger: `.o_breadcrumb a:contains("Mailbox for the Tour")`,
            run: "click",
        },
        {
            content: "It is linked, and said to collect nothing before it is confirmed",
            trigger: `.o_field_widget[name=routing_warning]:contains("not confirmed yet")`,
        },
        {
            content: "There is nothing more to create",
            trigger: ".o_form_view:not(:has(button[name=action_collect_replies]))",
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_test_many", {
    steps: () => [
        {
            content: "The list says for which addresses a server is",
            trigger: ".o_list_view th[data-name=from_filter]",
        },
        {
            content: "And when it was tested",
            trigger: ".o_list_view th[data-name=tested_date]",
        },
        {
            content: "Select all servers",
            trigger: "thead .o_list_record_selector input",
            run: "click",
        },
        {
            content: "Test them",
            trigger: ".o_control_panel button[name=action_test_connections]",
            run: "click",
        },
        {
            content: "Each is said to have failed",
            trigger:
                ".o_notification:contains('Mailbox for the Tour: '):contains('Relay for the Tour: ')",
        },
    ],
});
