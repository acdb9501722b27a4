import {Component, onWillStart, useEffect, useRef, useState} from "@odoo/owl";
import {ControlPanel} from "@web/search/control_panel/control_panel";
import {KeepLast} from "@web/core/utils/concurrency";
import {_t} from "@web/core/l10n/translation";
import {filterOverview} from "./overview_filter";
import {registry} from "@web/core/registry";
import {standardActionServiceProps} from "@web/webclient/actions/action_service";
import {useDebounced} from "@web/core/utils/timing";
import {useService} from "@web/core/utils/hooks";
import {useSetupAction} from "@web/search/action_hook";

// How many entries of a list are shown before somebody asks for all of them
const SHOWN = {companies: 30, users: 8, others: 20};

// How long to wait, while somebody types, before users are searched
const PAUSE = 250;

const NOBODY = {users: [], more: false};

/**
 * The servers of a company or user, each a button that opens it.
 */
export class OverviewServers extends Component {
    static template = "outgoing_mail_routing.OverviewServers";
    static props = {
        servers: Array,
        open: Function,
    };
}

/**
 * What is wrong, a line each with the button that opens the form where it is mended.
 */
export class OverviewIssues extends Component {
    static template = "outgoing_mail_routing.OverviewIssues";
    static props = {
        issues: Array,
        open: Function,
    };

    /**
     * @param {Object} issue
     * @returns {String} the label of its button
     */
    label(issue) {
        return {
            "res.company": _t("Open company"),
            "res.users": _t("Open user"),
            "ir.mail_server": _t("Open server"),
            "fetchmail.server": _t("Open incoming server"),
        }[issue.model];
    }
}

/**
 * Companies with their servers, users with theirs, and the issues: one page.
 *
 * It is read anew whenever it is shown; what was searched stays while one mends an issue.
 */
export class RoutingOverview extends Component {
    static template = "outgoing_mail_routing.RoutingOverview";
    static components = {ControlPanel, OverviewServers, OverviewIssues};
    static props = {...standardActionServiceProps};

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({
            data: null,
            query: "",
            onlyIssues: false,
            unfolded: {},
            found: NOBODY,
            ...this.props.globalState?.overview,
        });
        useSetupAction({
            rootRef: useRef("root"),
            getGlobalState: () => this.keptState,
        });
        this.openRecord = this.openRecord.bind(this);
        this.lastSearch = new KeepLast();
        const searchUsers = useDebounced(() => this.searchUsers(), PAUSE);
        onWillStart(() => Promise.all([this.load(), this.searchUsers()]));
        useEffect(
            (query) => {
                if (query !== this.searched) {
                    searchUsers();
                }
            },
            () => [this.state.query]
        );
        useEffect(
            () => {
                // Kept by the page's address in the browser's history, too: saving a
                // company loads the web client anew
                this.props.updateActionState?.({globalState: this.keptState});
            },
            () => [this.state.query, this.state.onlyIssues]
        );
    }

    /**
     * What stays while one is on another page.
     */
    get keptState() {
        const {query, onlyIssues, unfolded} = this.state;
        return {overview: {query, onlyIssues, unfolded: {...unfolded}}};
    }

    async load() {
        this.state.data = await this.orm.call("mail.routing.overview", "get_overview");
    }

    /**
     * Find the users that are searched, of whom the page lists but those with servers.
     */
    async searchUsers() {
        const {query} = this.state;
        this.searched = query;
        this.state.found = await this.lastSearch.add(
            query.trim()
                ? this.orm.call("mail.routing.overview", "search_users", [query])
                : Promise.resolve(NOBODY)
        );
    }

    /**
     * The users that a search found; with only issues shown, the page itself has them.
     */
    get foundUsers() {
        const {found, query, onlyIssues} = this.state;
        return query.trim() && !onlyIssues ? found.users : [];
    }

    get shown() {
        const {data, query, onlyIssues} = this.state;
        return filterOverview(data, query, onlyIssues);
    }

    get issueTitle() {
        const count = this.state.data.issue_count;
        if (!count) {
            return _t("No issues");
        }
        return count === 1 ? _t("1 issue") : _t("%s issues", count);
    }

    /**
     * @param {Object} card a company, user or other server
     * @returns {Object[]} its servers
     */
    serversOf(card) {
        return card.server_ids.map((id) => this.state.data.servers[id]);
    }

    /**
     * @param {String} kind of entries
     * @param {Object[]} entries
     * @param {String} [key] of the list, where there are several of that kind
     * @returns {Object[]} the entries to show
     */
    cut(kind, entries, key = kind) {
        return this.state.unfolded[key] ? entries : entries.slice(0, SHOWN[kind]);
    }

    /**
     * @param {Object[]} entries of a list that was cut
     * @returns {String} the label of the button that shows them all
     */
    showAllLabel(entries) {
        return _t("Show all %s", entries.length);
    }

    /**
     * @param {String} key of a list that was cut
     */
    unfold(key) {
        this.state.unfolded[key] = true;
    }

    /**
     * @param {Object} company
     * @returns {String} how many of its users are not listed
     */
    othersLabel(company) {
        const count = company.other_users;
        return count === 1 ? _t("1 user") : _t("%s users", count);
    }

    /**
     * Opens an action; the page is read anew once a dialog was closed.
     *
     * @param {String} xmlId
     */
    openAction(xmlId) {
        this.action.doAction(xmlId, {
            onClose: (infos) => {
                // Not where another page takes the place of this one. A dialog waits
                // for the answer before it closes, so there is none to wait for.
                if (!infos?.noReload) {
                    this.load();
                }
            },
        });
    }

    /**
     * @param {String} model
     * @param {Number} resId
     */
    openRecord(model, resId) {
        // Core's default form of users is the one for inviting them
        const viewId = model === "res.users" && this.state.data.user_form_id;
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: model,
            res_id: resId,
            views: [[viewId, "form"]],
        });
    }

    /**
     * @param {Object} company
     */
    openOtherUsers(company) {
        this.action.doAction({
            type: "ir.actions.act_window",
            name: _t("Users Without Own Mail Servers"),
            res_model: "res.users",
            domain: company.other_users_domain,
            views: [
                [false, "list"],
                [this.state.data.user_form_id, "form"],
            ],
        });
    }
}

registry
    .category("actions")
    .add("outgoing_mail_routing.routing_overview", RoutingOverview);
