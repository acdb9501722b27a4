import {registry} from "@web/core/registry";

const SENDER = ".o_mail_composer_form .o_field_widget[name=sender_choice]";
const OPTION = ".o_select_menu_item";

registry.category("web_tour.tours").add("outgoing_mail_routing_choose_sender", {
    steps: () => [
        {
            content: "Write a message",
            trigger: ".o-mail-Chatter-sendMessage",
            run: "click",
        },
        {
            content: "Open the full composer",
            trigger: "button[name='open-full-composer']",
            run: "click",
        },
        {
            content: "The default says what would happen",
            trigger: `${SENDER} input:value("Automatic: Anna <office@mailbox.example>")`,
            run: "click",
        },
        {
            content: "All senders are offered with name, address and server",
            trigger: `${OPTION}:contains("Anna <office@mailbox.example> (Anna's mailbox)")`,
        },
        {
            content: "Choose the company's",
            trigger: `${OPTION}:contains("Anna <anna@a.example> (Relay of company A)")`,
            run: "click",
        },
        {
            content: "It is chosen",
            trigger: `${SENDER} input:value("Relay of company A")`,
        },
        {
            content: "Write a subject",
            trigger: ".o_field_widget[name=subject] input",
            run: "edit Chosen",
        },
        {
            content: "Write to the customer",
            trigger: ".o_field_many2many_tags_email[name=partner_ids] input",
            run: "edit Customer of A",
        },
        {
            content: "Take the customer",
            trigger: ".ui-autocomplete a:contains(Customer of A)",
            run: "click",
        },
        {
            content: "Send",
            trigger: ".o_mail_send:enabled",
            run: "click",
        },
        {
            content: "Wait until it is sent",
            trigger: "body:not(:has(.modal)) .o-mail-Message",
        },
    ],
});
