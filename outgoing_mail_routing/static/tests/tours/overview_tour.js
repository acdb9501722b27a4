import {openTechnicalMenu} from "./menu_steps";
import {registry} from "@web/core/registry";

const COMPANY = ".o_mail_routing_company:contains('Company of the Tour')";
const FOUND = ".o_mail_routing_found";
const NO_SERVER = "No outgoing mail server is assigned";
const SWITCHED_OFF = "switched off";

const RETURN = {
    content: "Return to the overview",
    trigger: `.o_breadcrumb a:contains("Mail Routing")`,
    run: "click",
};

const OPEN_OVERVIEW = openTechnicalMenu(
    "outgoing_mail_routing.mail_routing_overview_menu"
);

const FIND_USER_WITH_GAP = [
    {
        content: "A long list is cut, and shown whole on demand",
        trigger: `${COMPANY} .o_mail_routing_show_all:contains("Show all 11")`,
        run: "click",
    },
    {
        content: "All are there",
        trigger: `${COMPANY}:contains("Member 10 of"):not(:has(.o_mail_routing_show_all))`,
    },
    {
        content: "The others are a number",
        trigger: `${COMPANY} .o_mail_routing_other_users:contains("2 users")`,
    },
    {
        content: "Show only issues",
        trigger: ".o_mail_routing_only_issues",
        run: "click",
    },
    {
        content: "One user has an issue",
        trigger: `${COMPANY}:contains("Member 3 of"):not(:contains("Member 2 of"))`,
    },
    {
        content: "Search a user",
        trigger: ".o_searchview_input",
        run: "edit member 3",
    },
    {
        content: "Only their company is left; go where it is mended",
        trigger: `.o_mail_routing_page:not(:has(.o_mail_routing_others)) .o_mail_routing_issue:contains("${SWITCHED_OFF}") .o_mail_routing_mend`,
        run: "click",
    },
];

const SWITCH_ON = [
    {
        content: "Open the preferences of the user",
        trigger: ".o_notebook a[name=preferences]",
        run: "click",
    },
    {
        content: "The form says the same",
        trigger: `.o_field_widget[name=mail_routing_warning]:contains("${SWITCHED_OFF}")`,
    },
    {
        content: "Let them use their own servers",
        trigger: ".o_field_widget[name=use_own_mail_servers] input",
        run: "click",
    },
    {
        content: "The warning goes before it is saved",
        trigger: ".o_form_view:not(:has(.o_field_widget[name=mail_routing_warning]))",
    },
    {
        content: "Save the user",
        trigger: ".o_form_button_save",
        run: "click",
    },
    {
        content: "Wait until it is saved",
        trigger: ".o_form_saved",
    },
    RETURN,
];

const SEARCH_SERVER = [
    {
        content: "What was searched stays, and nothing is left of it",
        trigger: ".o_mail_routing_nothing:contains('Nothing matches')",
    },
    {
        content: "Show everything again",
        trigger: ".o_mail_routing_only_issues.active",
        run: "click",
    },
    {
        content: "The user has no issue any more",
        trigger: `.o_mail_routing_user:contains("Member 3"):not(:has(.o_mail_routing_issue))`,
    },
    {
        content: "Search a server",
        trigger: ".o_searchview_input",
        run: "edit relay of the",
    },
    {
        content: "Its company is there with all users, and no other one",
        trigger: `.o_mail_routing_page:not(:has(.o_mail_routing_others)) ${COMPANY}:contains("Member 10 of")`,
    },
    {
        content: "Open the users without servers of their own",
        trigger: `${COMPANY} .o_mail_routing_other_users`,
        run: "click",
    },
    {
        content: "They are listed",
        trigger: `.o_list_view:contains("Member 11"):not(:contains("Member 3"))`,
    },
    RETURN,
    {
        content: "Open the simulator",
        trigger: ".o_control_panel button:contains('Routing Simulator')",
        run: "click",
    },
    {
        content: "It is there; close it",
        trigger: ".modal footer button[special=cancel]",
        run: "click",
    },
    {
        content: "The page is there again",
        trigger: `body:not(:has(.modal)) ${COMPANY}`,
    },
];

const SEARCHED = [
    {
        content: "The search is kept",
        trigger: ".o_searchview_input:value('member 7')",
    },
    {
        content: "And what it found",
        trigger: `${FOUND}:contains("Member 7 of the Tour")`,
    },
];

registry.category("web_tour.tours").add("outgoing_mail_routing_overview_user", {
    steps: () => [
        {
            content: "Search a user who has no server of their own",
            trigger: ".o_searchview_input",
            run: "edit member 7",
        },
        {
            content: "It says how they send",
            trigger: `${FOUND}:not(:contains("Member 8")):contains("through Relay of the Tour as user7@tour.example")`,
        },
        {
            content: "Open the user",
            trigger: `${FOUND} .o_mail_routing_who`,
            run: "click",
        },
        RETURN,
        ...SEARCHED,
        {
            content: "Open the user again",
            trigger: `${FOUND} .o_mail_routing_who`,
            run: "click",
        },
        {
            content: "Go back by the browser",
            trigger: ".o_form_view .o_field_widget[name=name] :value('Member 7')",
            run: async () => {
                // core tells the browser a moment after the form is there
                while (window.location.pathname.endsWith("/mail-routing")) {
                    await new Promise((resolve) => setTimeout(resolve, 50));
                }
                window.history.back();
            },
        },
        ...SEARCHED,
        {
            content: "Show only issues",
            trigger: ".o_mail_routing_only_issues",
            run: "click",
        },
        {
            content: "This user has none",
            trigger: ".o_mail_routing_nothing",
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_overview_simulator", {
    steps: () => [
        {
            content: "Open the simulator",
            trigger: ".o_control_panel button:contains('Routing Simulator')",
            run: "click",
        },
        {
            content: "Open the server that it names",
            trigger:
                ".modal .o_field_widget[name=steps] a:contains('Relay of the Tour')",
            run: "click",
        },
        {
            content: "Its form is there, and no dialog before it",
            trigger:
                "body:not(:has(.modal)) .o_form_view .o_field_widget[name=name] :value('Relay of the Tour')",
        },
        RETURN,
        {
            content: "The page is there again",
            trigger: `body:not(:has(.modal)) ${COMPANY}`,
        },
    ],
});

const MEND = [
    {
        content: "The company has no server: go where that is mended",
        trigger: `${COMPANY} .o_mail_routing_issue:contains("${NO_SERVER}") .o_mail_routing_mend`,
        run: "click",
    },
    {
        content: "Search a server",
        trigger: ".o_field_widget[name=mail_server_ids] input",
        run: "edit Relay of the Tour",
    },
    {
        content: "Choose it",
        trigger: `.o-autocomplete--dropdown-item:contains("Relay of the Tour")`,
        run: "click",
    },
    {
        content: "It is a tag now",
        trigger: `.o_field_widget[name=mail_server_ids] .o_tag:contains("Relay")`,
    },
    {
        content: "Save the company, which loads the page anew",
        trigger: ".o_form_button_save",
        run: "click",
        expectUnloadPage: true,
    },
    {
        content: "Wait until it is saved",
        trigger: ".o_form_saved",
    },
    RETURN,
    {
        content: "The company has its server",
        trigger: `${COMPANY} .o_mail_routing_server:contains("Relay of the Tour")`,
    },
    {
        content: "The issue is gone",
        trigger: `${COMPANY}:not(:has(.o_mail_routing_issue:contains("${NO_SERVER}")))`,
    },
];

registry.category("web_tour.tours").add("outgoing_mail_routing_overview_mend", {
    steps: () => [
        ...OPEN_OVERVIEW,
        {
            content: "The user is listed with the server of their own",
            trigger: `${COMPANY} .o_mail_routing_user:contains("Member 0") .o_mail_routing_server:contains("Mailbox of the Tour")`,
        },
        ...MEND,
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_overview_kept", {
    steps: () => [
        {
            content: "Search the company",
            trigger: ".o_searchview_input",
            run: "edit company of the",
        },
        {
            content: "Show only issues",
            trigger: ".o_mail_routing_only_issues",
            run: "click",
        },
        ...MEND.slice(0, -2),
        {
            content: "What was searched is kept",
            trigger: ".o_searchview_input:value('company of the')",
        },
        {
            content: "And that only issues are shown",
            trigger: ".o_mail_routing_only_issues.active",
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_overview_search", {
    steps: () => [...FIND_USER_WITH_GAP, ...SWITCH_ON, ...SEARCH_SERVER],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_overview_beginning", {
    steps: () => [
        {
            content: "The settings link the overview first",
            trigger:
                "#outgoing_mail_routing_assignments div:first-child > button:contains('Mail Routing')",
            run: "click",
        },
        {
            content: "It says how to begin",
            trigger: ".o_mail_routing_beginning:contains('No mail server is assigned')",
        },
        {
            content: "Begin with the servers",
            trigger:
                ".o_mail_routing_beginning button:contains('Outgoing Mail Servers')",
            run: "click",
        },
        {
            content: "They are listed",
            trigger: ".o_list_view:contains('Relay of the Tour')",
        },
    ],
});

registry.category("web_tour.tours").add("outgoing_mail_routing_overview_phone", {
    steps: () => [
        {
            content: "Search users",
            trigger: ".o_searchview_input",
            run: "edit member",
        },
        {
            content: "They are found",
            trigger: `${FOUND}:contains("Member 11 of the Tour")`,
        },
        {
            content: "Nothing is wider than the screen",
            trigger: `${COMPANY} .o_mail_routing_issue .o_mail_routing_mend`,
            run() {
                for (const element of document.querySelectorAll(
                    ".o_mail_routing_page, .o_mail_routing_page *, .o_mail_routing_only_issues"
                )) {
                    const {right} = element.getBoundingClientRect();
                    if (right > window.innerWidth + 1) {
                        throw new Error(`${element.className} ends at ${right}`);
                    }
                }
            },
        },
        {
            content: "An issue is mended from here as well",
            trigger: `${COMPANY} .o_mail_routing_issue .o_mail_routing_mend`,
            run: "click",
        },
        {
            content: "The form opens",
            trigger:
                ".o_form_view .o_field_widget[name=name] :value('Member 3 of the Tour')",
        },
    ],
});
