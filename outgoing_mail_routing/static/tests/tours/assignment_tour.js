import {registry} from "@web/core/registry";

/**
 * Steps that open the wizard on the users of the tour, who alone are listed.
 *
 * @returns {Object[]}
 */
function openOnUsers() {
    return [
        {
            content: "Select them",
            trigger:
                ".o_list_view:not(:has(.o_data_row_selected)) thead .o_list_record_selector input",
            run: "click",
        },
        {
            content: "Open the menu of actions",
            trigger: ".o_cp_action_menus button:contains('Actions')",
            run: "click",
        },
        {
            content: "Assign mail servers",
            trigger: ".o-dropdown-item:contains('Assign Mail Servers')",
            run: "click",
        },
        {
            content: "Both users are there, nothing changes yet",
            trigger: ".modal .o_field_widget[name=summary]:contains('Unchanged: 2.')",
        },
    ];
}

const SUGGEST = [
    {
        content: "Ask for suggestions",
        trigger: ".modal button[name=action_suggest]",
        run: "click",
    },
    {
        content: "The server that sends as the address of one of them is proposed",
        trigger:
            ".modal tr:contains('Other User of the Tour'):contains('“Mailbox for the Tour” sends as mailbox@tour.example.')",
    },
    {
        content: "Nothing fits the other one",
        trigger:
            ".modal tr.text-muted:contains('No server sends as user@tour.example')",
    },
    {
        content: "Assign what is suggested",
        trigger: ".modal button[name=action_assign]",
        run: "click",
    },
    {
        content: "It says how many",
        trigger:
            ".o_notification:contains('Users whose mail servers were changed: 1.')",
    },
    {
        content: "Close the notification",
        trigger: "body:not(:has(.modal)) .o_notification_close",
        run: "click",
    },
];

const CHOOSE = [
    {
        content: "Search a server for both",
        trigger: ".modal .o_field_widget[name=mail_server_ids] input",
        run: "edit Relay for the Tour",
    },
    {
        content: "Choose it",
        trigger: ".o-autocomplete--dropdown-item:contains('Relay for the Tour')",
        run: "click",
    },
    {
        content: "The line says what they have then",
        trigger:
            ".modal tr:contains('Other User of the Tour'):contains('Mailbox for the Tour, Relay for the Tour')",
    },
    {
        content: "Assign it",
        trigger: ".modal button[name=action_assign]",
        run: "click",
    },
    {
        content: "It says how many",
        trigger:
            ".o_notification:contains('Users whose mail servers were changed: 2.')",
    },
];

registry.category("web_tour.tours").add("outgoing_mail_routing_assign_to_many", {
    steps: () => [
        {
            content: "Search the users of the tour",
            trigger: ".o_searchview_input",
            run: "edit of the Tour",
        },
        {
            content: "Start the search",
            trigger: ".o_searchview_input",
            run: "press Enter",
        },
        {
            content: "Wait until they alone are listed",
            trigger:
                ".o_list_view:has(.o_data_row:nth-child(2)):not(:has(.o_data_row:nth-child(3)))",
        },
        ...openOnUsers(),
        ...SUGGEST,
        ...openOnUsers(),
        ...CHOOSE,
        {
            content: "Open one of the users",
            trigger:
                "body:not(:has(.modal)) .o_data_row .o_data_cell:contains('Other User of the Tour')",
            run: "click",
        },
        {
            content: "Open their preferences",
            trigger: ".o_notebook a[name=preferences]",
            run: "click",
        },
        {
            content: "The form shows both servers",
            trigger:
                ".o_field_widget[name=own_mail_server_ids]:has(.o_tag:contains('Mailbox for the Tour')):has(.o_tag:contains('Relay for the Tour'))",
        },
    ],
});

const CARD = ".modal .o_kanban_record:not(.o_kanban_ghost)";
const OF_USER = `${CARD}:contains("User of the Tour")`;

registry.category("web_tour.tours").add("outgoing_mail_routing_suggest_on_phone", {
    steps: () => [
        {
            content: "Ask for suggestions for all users",
            trigger: ".modal button[name=action_suggest]",
            run: "click",
        },
        {
            content: "A card says who gets which server, and what they send as then",
            trigger: `${OF_USER}:contains("Mailbox for the Tour"):contains("Sends as: user@tour.example")`,
        },
        {
            content: "Its switch has a label and is on; leave this one out",
            trigger: `${OF_USER} .o_field_widget[name=selected]:contains("Assign") input:checked`,
            run: "click",
        },
        {
            content: "It is off",
            trigger: `${OF_USER} .o_field_widget[name=selected] input:not(:checked)`,
        },
        {
            content: "Nothing is wider than the screen",
            trigger: CARD,
            run() {
                for (const card of document.querySelectorAll(CARD)) {
                    const {right} = card.getBoundingClientRect();
                    if (right > window.innerWidth + 1) {
                        throw new Error(`A card ends at ${right}`);
                    }
                }
            },
        },
        {
            content: "Assign the others",
            trigger: ".modal button[name=action_assign]",
            run: "click",
        },
        {
            content: "It says how many",
            trigger:
                ".o_notification:contains('Users whose mail servers were changed: 1.')",
        },
    ],
});
